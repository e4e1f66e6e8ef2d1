// Makes another event of the same kind: replaces the ids that mark a repeat.

const NAMES = /"(?:messageId|log_id|_id|uuid|eventId)"\s*:\s*("[^"]+")/g;

/** The ids with the bare name `id`. */
const PLAIN = { '/identity/fusionauth': (body) => body.event?.id, '/identity/auth0/events': (body) => body.id };

const digits = (length) => Array.from(crypto.getRandomValues(new Uint8Array(length)), (byte) => byte % 10).join('');

/** The body with new ids of the same form, or the same body if it has no known ids. */
export function withNewIds(path, text) {
  const ids = new Set(Array.from(text.matchAll(NAMES), ([, id]) => id));
  try {
    const id = PLAIN[path]?.(JSON.parse(text));
    if (id) ids.add(JSON.stringify(id));
  } catch {
    // Invalid JSON can be sent too.
  }
  return [...ids].reduce((changed, id) => changed.replaceAll(id, `${id.slice(0, -13)}${digits(12)}"`), text);
}
