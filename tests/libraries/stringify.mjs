// Prints each line of the input as Node writes that JSON text: the form that a message must have for a
// receiver that signs JSON.stringify(req.body).
//
//   node stringify.mjs < LINES
import { text } from 'node:stream/consumers';

// Not readline, because it takes U+2028 for the end of a line.
const lines = (await text(process.stdin)).split('\n');
if (lines.at(-1) === '') lines.pop();
const written = lines.map((line, index) => {
  try {
    return `${JSON.stringify(JSON.parse(line))}\n`;
  } catch (error) {
    console.error(`stringify.mjs: line ${index + 1}: ${error.message}`);
    process.exit(1);
  }
});
process.stdout.write(written.join(''));
