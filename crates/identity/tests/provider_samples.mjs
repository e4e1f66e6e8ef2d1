// Maps the bodies that providers publish, and prints how many became each kind of message.
//
//   node crates/identity/tests/provider_samples.mjs FOLDER [path of segue]
//
// FOLDER has a folder for each provider, named after its route with dots (auth0.logs). In it is a folder for each
// source with the bodies, one a file. The samples belong to their publishers, so they are not in the repository.

import { execFile } from "node:child_process";
import { readdirSync } from "node:fs";
import { join } from "node:path";

const [folder, segue = "target/debug/segue"] = process.argv.slice(2);
if (!folder) {
  console.error("Give the folder with the bodies.");
  process.exit(2);
}

const visible = (path) => readdirSync(path).filter((name) => !name.startsWith(".")).sort();

/** The messages of one body, or why there are none. */
function map(provider, file) {
  return new Promise((resolve) => {
    execFile(segue, ["map", provider, file], { maxBuffer: 1 << 28 }, (error, output, notes) => {
      const messages = output.split("\n").filter(Boolean).map((line) => JSON.parse(line));
      const reasons = [...notes.matchAll(/an event makes no message: (.*)\.$/gm)].map((match) => match[1]);
      const isRefused = error && messages.length === 0 && reasons.length === 0;
      resolve({ messages, reasons, times: (notes.match(/the time of receipt/g) ?? []).length, isRefused, notes });
    });
  });
}

/** A reason without what is particular to one body. */
const kind = (reason) => reason.replace(/"[^"]*"/, "…").replace(/\d+/g, "N").replace(/N\..*$/, "N…");

async function row(provider, source) {
  const path = join(folder, provider, source);
  const files = visible(path);
  const calls = {}, reasons = {};
  let [nothing, refused, times, next] = [0, 0, 0, 0];
  const work = async () => {
    while (next < files.length) {
      const file = join(path, files[next++]);
      const result = await map(provider.replace(".", "/"), file);
      for (const message of result.messages) calls[message.type] = (calls[message.type] ?? 0) + 1;
      for (const reason of result.reasons.map(kind)) reasons[reason] = (reasons[reason] ?? 0) + 1;
      if (result.isRefused) {
        refused += 1;
        console.error(`${file}: ${result.notes.trim().split("\n").pop()}`);
      } else if (result.messages.length === 0) nothing += 1;
      times += result.times;
    }
  };
  await Promise.all([work(), work()]);
  const list = (counts) => Object.entries(counts).sort().map(([name, count]) => `${count} ${name}`).join(", ");
  return [provider, source, files.length, list(calls), nothing, refused, times, list(reasons)];
}

console.log("| provider | source | bodies | messages | made nothing | refused | times replaced | reasons |");
console.log("|---|---|---|---|---|---|---|---|");
for (const provider of visible(folder)) {
  for (const source of visible(join(folder, provider))) {
    console.log(`| ${(await row(provider, source)).join(" | ")} |`);
  }
}
