// Polling of pending consignments: the services book or undo them within a minute.

import { callSignedIn } from "./session.js";

/** Waits before each call, in milliseconds: 70 s in all. After that people refresh the list themselves. */
const waitsMs = [1_000, 1_000, 2_000, 3_000, 5_000, 8_000, 10_000, 10_000, 10_000, 10_000, 10_000];

export class PendingWatch {
  #following = new Map();

  /**
   * Asks for a pending consignment until it is settled.
   *
   * - `onSettled(consignment)` runs with its new state; with `null` when the service no longer has it.
   */
  follow(id, onSettled) {
    if (this.#following.has(id)) return;
    const ending = new AbortController();
    this.#following.set(id, ending);
    this.#ask(id, ending.signal, onSettled).finally(() => {
      if (this.#following.get(id) === ending) this.#following.delete(id);
    });
  }

  stop() {
    for (const ending of this.#following.values()) ending.abort();
    this.#following.clear();
  }

  async #ask(id, signal, onSettled) {
    for (const wait of waitsMs) {
      await new Promise((resolve) => setTimeout(resolve, wait));
      if (signal.aborted) return;
      try {
        const { consignment } = await callSignedIn("consignment", "ConsignmentService.Get", { id }, { signal });
        if (signal.aborted) return;
        if (consignment && consignment.status !== "PENDING") return onSettled(consignment);
      } catch (error) {
        if (signal.aborted || error.kind === "stale" || error.status === 401) return;
        if (error.status === 404 && error.reason === "UNKNOWN_CONSIGNMENT") return onSettled(null);
        // Any other failure may pass: the next call tries again.
      }
    }
  }
}
