// `npm run docs`: the site in docs/site, by typedoc (typedoc.json): API pages of every package, README by README, and
// the handwritten pages of docs/. An export without a comment, or a link that leads nowhere, fails it.
import { readdirSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import {
  Application,
  type DeclarationReflection,
  ReflectionKind,
  TSConfigReader,
  TypeDocReader,
} from "typedoc";

const root = join(dirname(fileURLToPath(import.meta.url)), "..");
process.chdir(root);

const pages = (folder: string): string[] =>
  readdirSync(join("docs", folder))
    .filter((name) => name.endsWith(".md") && !(folder === "." && name === "index.md"))
    .sort()
    .map((name) => join("docs", folder, name));

/** Exports without a comment. typedoc's own check would ask for one on every member of an interface too. */
function undocumented(module: DeclarationReflection): string[] {
  return (module.children ?? []).flatMap((child) => {
    if (child.kindOf([ReflectionKind.Namespace, ReflectionKind.Module])) return undocumented(child);
    if (child.kindOf(ReflectionKind.Reference)) return [];
    const documented = child.hasComment() || child.signatures?.some((signature) => signature.hasComment());
    return documented ? [] : [child.getFriendlyFullName()];
  });
}

const app = await Application.bootstrapWithPlugins(
  { projectDocuments: [...pages("."), ...pages("decisions")], logLevel: "Warn" },
  [new TypeDocReader(), new TSConfigReader()],
);
const project = await app.convert();
if (project) {
  app.validate(project);
  for (const module of project.children ?? [])
    for (const name of undocumented(module)) app.logger.error(`${name} is exported without a comment`);
  if (!app.logger.hasErrors() && !app.logger.hasWarnings()) await app.generateOutputs(project);
}
const { errorCount, warningCount } = app.logger;
process.stdout.write(
  `docs: ${errorCount} errors, ${warningCount} warnings${errorCount + warningCount ? "" : ", docs/site/index.html"}\n`,
);
process.exit(errorCount + warningCount === 0 ? 0 : 1);
