// What came in or went out, as a command that does it again.

/** A word as a POSIX shell takes it, whatever is in it. */
export const quote = (word) => `'${word.replaceAll("'", "'\\''")}'`;

const command = (method, url, options, body) =>
  [`curl -X ${method} ${quote(url)}`, ...options, ...(body ? [`--data-raw ${quote(body)}`] : [])].join(' \\\n  ');

/** The user name of Basic authentication. Only the well-known write key of this machine is ever told. */
const basic = (setup) => `-u ${quote(`${setup?.writeKey ?? 'WRITE_KEY'}:`)}`;

/** What came in. Credentials were removed from it: where they are needed, their place is left. */
export function arrivalCurl(arrival, setup) {
  const options = arrival.contentType ? [`-H ${quote(`content-type: ${arrival.contentType}`)}`] : [];
  if (arrival.path.startsWith('/v1/')) options.unshift(basic(setup));
  return command(arrival.method, `${setup?.url ?? location.origin}${arrival.path}`, options, arrival.body);
}

/** What went out to a destination. */
export function requestCurl(request, setup) {
  const options = request.headers.map(([name, value]) =>
    name.toLowerCase() === 'authorization' && setup?.standIn ? basic(setup) : `-H ${quote(`${name}: ${value}`)}`);
  return command(request.method, request.url, options, request.body);
}
