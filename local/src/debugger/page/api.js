// The JSON that this page talks to its server with.

/** What is wrong, in a sentence; `status` is the answer's, or 0 when there was none. */
const refused = (status, message) => Object.assign(new Error(message), { status });

/** Asks `/debugger/api/{path}`; throws the server's sentence, or one of our own when it is away. */
export async function ask(path, { method = 'GET', body } = {}) {
  const init = body === undefined ? {} : { headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) };
  const answer = await fetch(`/debugger/api/${path}`, { method, ...init }).catch(() => {
    throw refused(0, 'Segue does not answer. Is it still running?');
  });
  const value = answer.status === 204 ? null : await answer.json().catch(() => null);
  if (answer.ok) return value;
  throw refused(answer.status, value?.message ?? `Segue answered ${answer.status}.`);
}

let asked;

/** What is constant while a server runs: its addresses, its providers. Asked once, and `again` for another server. */
export function setup({ again = false } = {}) {
  if (again) asked = undefined;
  asked ??= ask('setup').catch((error) => {
    asked = undefined;
    throw error;
  });
  return asked;
}
