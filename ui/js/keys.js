// Idempotency keys: if an answer is lost on its way, sending the same thing again with the same key makes no twin.

/** Forms hold few unfinished contents; the oldest is forgotten beyond this. */
const keysMax = 20;

export class Keys {
  #byContent = new Map();

  /** The key for this request: the same one until it succeeded, whatever was tried in between. */
  for(request) {
    const content = JSON.stringify(request);
    let key = this.#byContent.get(content);
    if (!key) {
      key = uuid();
      this.#byContent.set(content, key);
      if (this.#byContent.size > keysMax) this.#byContent.delete(this.#byContent.keys().next().value);
    }
    return key;
  }

  /** The request was answered: the same content once more is meant to be another one. */
  succeeded(request) {
    this.#byContent.delete(JSON.stringify(request));
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
