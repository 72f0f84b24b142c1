// `npm run docs`: the site in docs/site, by typedoc (typedoc.json): API pages of every package, README by README, and
// the handwritten pages of docs/. An export without a comment, or a link that leads nowhere, fails it.
import { readdirSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { Application, TSConfigReader, TypeDocReader } from "typedoc";

const root = join(dirname(fileURLToPath(import.meta.url)), "..");
process.chdir(root);

const pages = (folder: string): string[] =>
  readdirSync(join("docs", folder))
    .filter((name) => name.endsWith(".md") && !(folder === "." && name === "index.md"))
    .sort()
    .map((name) => join("docs", folder, name));

const app = await Application.bootstrapWithPlugins(
  { projectDocuments: [...pages("."), ...pages("decisions")], logLevel: "Warn" },
  [new TypeDocReader(), new TSConfigReader()],
);
const project = await app.convert();
if (project) {
  app.validate(project);
  if (!app.logger.hasErrors() && !app.logger.hasWarnings()) await app.generateOutputs(project);
}
const { errorCount, warningCount } = app.logger;
process.stdout.write(
  `docs: ${errorCount} errors, ${warningCount} warnings${errorCount + warningCount ? "" : ", docs/site/index.html"}\n`,
);
process.exit(errorCount + warningCount === 0 ? 0 : 1);
