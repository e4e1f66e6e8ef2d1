// Requests as curl commands.

/** Quotes a word for a POSIX shell. */
export const quote = (word) => `'${word.replaceAll("'", "'\\''")}'`;

const command = (method, url, options, body) =>
  [`curl -X ${method} ${quote(url)}`, ...options, ...(body ? [`--data-raw ${quote(body)}`] : [])].join(' \\\n  ');

/** Basic authentication. Only the stand-in's well-known write key is ever shown. */
const basic = (setup) => `-u ${quote(`${setup?.writeKey ?? 'WRITE_KEY'}:`)}`;

/** A received request, with placeholders for its credentials. */
export function arrivalCurl(arrival, setup) {
  const options = arrival.contentType ? [`-H ${quote(`content-type: ${arrival.contentType}`)}`] : [];
  if (arrival.path.startsWith('/v1/')) options.unshift(basic(setup));
  return command(arrival.method, `${setup?.url ?? location.origin}${arrival.path}`, options, arrival.body);
}

/** A request sent to a destination. */
export function requestCurl(request, setup) {
  const options = request.headers.map(([name, value]) =>
    name.toLowerCase() === 'authorization' && setup?.standIn ? basic(setup) : `-H ${quote(`${name}: ${value}`)}`);
  return command(request.method, request.url, options, request.body);
}
