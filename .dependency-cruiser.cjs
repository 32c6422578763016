/**
 * The levels of docs/architecture.md as rules: imports go downwards only, and modules of one level never import each
 * other. From level 0 up; a module is a folder of src, or one file.
 */
const levels = [
  ["errors.ts", "package.ts"],
  ["bytes/"],
  ["storage/"],
  ["extent/"],
  ["image/", "volume/", "filesystem/"],
  ["machine/"],
  ["tree/"],
  ["fuse/"],
  ["mount/"],
  ["cli/"],
];

const inModules = (modules) => `^src/(${modules.map((one) => one.replace(".", "\\.")).join("|")})`;

const upwards = levels.flatMap((modules, level) =>
  modules.map((module) => ({
    name: `level-${level}-${module.replace(/\W/g, "")}`,
    comment: "An import goes upwards, or to another module of the same level.",
    severity: "error",
    from: { path: inModules([module]) },
    to: {
      path: inModules([
        ...modules.filter((other) => other !== module),
        ...levels.slice(level + 1).flat(),
        "index.ts",
      ]),
    },
  })),
);

module.exports = {
  forbidden: [
    ...upwards,
    {
      name: "no-inside-of-a-sibling",
      comment:
        "A format, scheme or file system uses its own folder, and what its module shares: fat-common, for example.",
      severity: "error",
      from: { path: "^src/(image|volume|filesystem|machine)/([^/]+)/" },
      to: { path: "^src/$1/[^/]+/", pathNot: "^src/$1/($2|fat-common)/" },
    },
    { name: "no-circular", severity: "error", from: {}, to: { circular: true } },
    {
      name: "no-unknown-module",
      severity: "error",
      from: {},
      to: { path: "^src/", pathNot: inModules([...levels.flat(), "index.ts"]) },
    },
    {
      name: "not-unresolvable",
      severity: "error",
      from: {},
      to: { couldNotResolve: true, pathNot: "^yargs/helpers$" },
    }, // the cruiser does not read its exports
    {
      name: "no-dev-dependency",
      severity: "error",
      from: { path: "^src/" },
      to: { dependencyTypes: ["npm-dev"], dependencyTypesNot: ["type-only"] },
    },
  ],
  options: {
    doNotFollow: { path: "node_modules" },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: "tsconfig.json" },
    enhancedResolveOptions: {
      extensions: [".ts", ".js"],
      conditionNames: ["import", "types", "default", "node"],
    },
  },
};
