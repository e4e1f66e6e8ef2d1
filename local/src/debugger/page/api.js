// The page's JSON API.

/** An error with a sentence. `status` is 0 when the server did not answer. */
const refused = (status, message) => Object.assign(new Error(message), { status });

/** Calls `/debugger/api/{path}`. Throws the server's sentence, or an own one when the server does not answer. */
export async function ask(path, { method = 'GET', body } = {}) {
  const init = body === undefined ? {} : { headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) };
  const answer = await fetch(`/debugger/api/${path}`, { method, ...init }).catch(() => {
    throw refused(0, 'Segue does not answer. Is it still running?');
  });
  const value = answer.status === 204 ? null : await answer.json().catch(() => null);
  if (answer.ok) return value;
  throw refused(answer.status, value?.message ?? `Segue answered ${answer.status}.`);
}

/** Returns a function that asks `path` and passes the answer to `use`. A newer call makes the older one's answer stale. */
export function newest(path, use) {
  let calls = 0;
  return async () => {
    const call = ++calls;
    const answer = await ask(path).catch((error) => ({ error }));
    if (call === calls) use(answer);
  };
}

let asked;

/** The server's addresses and providers. Fetched once, and `again` after a reconnect. */
export function setup({ again = false } = {}) {
  if (again) asked = undefined;
  asked ??= ask('setup').catch((error) => {
    asked = undefined;
    throw error;
  });
  return asked;
}
