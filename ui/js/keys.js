// Idempotency keys: if an answer is lost on its way, sending the same thing again with the same key makes no twin.

/** Forms hold few unfinished contents; the oldest is forgotten beyond this. */
const keysMax = 20;
/** Answers that say that nothing was done, and that the same thing may have to be said anew. */
const refusals = [400, 404, 409, 413];

export class Keys {
  #byContent = new Map();

  /**
   * Answers what `send(key)` answers. The same request gets the same key until it is answered, whatever was tried in
   * between; once it is, the same content again is meant to be another one.
   */
  async use(request, send) {
    const content = JSON.stringify(request);
    const key = this.#byContent.get(content) ?? uuid();
    this.#byContent.set(content, key);
    if (this.#byContent.size > keysMax) this.#byContent.delete(this.#byContent.keys().next().value);
    try {
      const answer = await send(key);
      this.#byContent.delete(content);
      return answer;
    } catch (error) {
      if (refusals.includes(error.status)) this.#byContent.delete(content);
      throw error;
    }
  }

  clear() {
    this.#byContent.clear();
  }
}

/** A random UUID, version 4. `crypto.randomUUID` is missing on plain HTTP to another machine. */
function uuid() {
  if (crypto.randomUUID) return crypto.randomUUID();
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  bytes[6] = (bytes[6] & 0x0f) | 0x40;
  bytes[8] = (bytes[8] & 0x3f) | 0x80;
  const hex = [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, "$1-$2-$3-$4-$5");
}
