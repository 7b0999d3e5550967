// Builds the page into a folder: what the binary carries. The same sources make the same bytes.
//
//     node build.mjs dist

import { cpSync, existsSync, mkdirSync, readFileSync, readdirSync, rmSync, unlinkSync, writeFileSync } from "node:fs";
import { basename, dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const here = dirname(fileURLToPath(import.meta.url));
const out = resolve(process.argv[2] ?? join(here, "dist"));
rmSync(out, { recursive: true, force: true });
mkdirSync(out, { recursive: true });

const { metafile } = await build({
  absWorkingDir: here,
  entryPoints: { page: "src/main.tsx", style: "src/style.css" },
  outdir: out,
  entryNames: "[name]-[hash]",
  chunkNames: "[name]-[hash]",
  bundle: true,
  splitting: true,
  format: "esm",
  target: "es2022",
  jsx: "automatic",
  jsxImportSource: "preact",
  minify: true,
  // The packages may lie elsewhere, behind a link: names of files are made from their paths.
  preserveSymlinks: true,
  legalComments: "none",
  charset: "utf8",
  metafile: true,
});

const outputs = Object.entries(metafile.outputs);
const named = (entry) => basename(outputs.find(([, output]) => output.entryPoint === entry)[0]);
const page = outputs.find(([, output]) => output.entryPoint === "src/main.tsx")[1];
const needed = page.imports.filter((i) => i.kind === "import-statement").map((i) => basename(i.path));
const preloads = needed.map((file) => `<link rel="modulepreload" href="assets/${file}">`).sort();
// The styles come with the page: nothing is painted before they are there.
const style = join(out, named("src/style.css"));
const html = readFileSync(join(here, "src/index.html"), "utf8")
  .replace("STYLE", () => readFileSync(style, "utf8").trim())
  .replace("PAGE", named("src/main.tsx"))
  .replace("PRELOADS\n", preloads.map((link) => `  ${link}\n`).join(""));
writeFileSync(join(out, "index.html"), html);
unlinkSync(style);
cpSync(join(here, "src/icon.svg"), join(out, "icon.svg"));

// What is bundled comes with its licence.
const inputs = outputs.flatMap(([, output]) => Object.keys(output.inputs));
const packages = inputs.map((path) => path.match(/node_modules\/((?:@[^/]+\/)?[^/]+)/)?.[1]).filter(Boolean);
const notice = (name) => {
  const folder = join(here, "node_modules", name);
  const { version, license } = JSON.parse(readFileSync(join(folder, "package.json"), "utf8"));
  const file = readdirSync(folder).sort().find((file) => /^licen[cs]e/i.test(file));
  const text = file && existsSync(join(folder, file)) ? readFileSync(join(folder, file), "utf8").trim() : license;
  return `${name} ${version}: ${license}\n\n${text}\n`;
};
writeFileSync(join(out, "licences.txt"), [...new Set(packages)].sort().map(notice).join(`\n${"-".repeat(72)}\n\n`));
