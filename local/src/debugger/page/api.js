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
  const headers = body === undefined ? {} : { 'content-type': 'application/json' };
  let answer;
  try {
    answer = await fetch(`/debugger/api/${path}`, { method, headers, body: body === undefined ? null : JSON.stringify(body) });
  } catch {
    throw new Refused(0, 'Segue does not answer. Is it still running?');
  }
  const text = await answer.text();
  let value = null;
  try {
    value = text ? JSON.parse(text) : null;
  } catch {
    throw new Refused(answer.status, `Segue answered ${answer.status} with something that is not JSON.`);
  }
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
