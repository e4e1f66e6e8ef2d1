// The JSON that this page talks to its server with.

/** An answer that says what is wrong in a sentence. */
export class Refused extends Error {
  constructor(status, message) {
    super(message);
    this.status = status;
  }
}

/** Asks `/debugger/api/{path}`; throws `Refused` with the server's sentence, or one of our own when it is away. */
export async function ask(path, { method = 'GET', body } = {}) {
  const init = body === undefined ? {} : { headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) };
  const answer = await fetch(`/debugger/api/${path}`, { method, ...init }).catch(() => {
    throw new Refused(0, 'Segue does not answer. Is it still running?');
  });
  const value = answer.status === 204 ? null : await answer.json().catch(() => null);
  if (answer.ok) return value;
  throw new Refused(answer.status, value?.message ?? `Segue answered ${answer.status}.`);
}

let asked;

/** What is constant while the server runs: its addresses, its providers. Asked once. */
export function setup() {
  asked ??= ask('setup').catch((error) => {
    asked = undefined;
    throw error;
  });
  return asked;
}

/** Forgets it: another server may have taken this one's place. */
export const forgetSetup = () => (asked = undefined);
