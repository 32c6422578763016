/**
 * The floors of docs/architecture.md as rules: imports go downwards only, and rooms that share a floor never
 * see each other. From the ground up; a room is a folder of src, or one file.
 */
const floors = [
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

const inRooms = (rooms) => `^src/(${rooms.map((room) => room.replace(".", "\\.")).join("|")})`;

const climbs = floors.flatMap((rooms, floor) =>
  rooms.map((room) => ({
    name: `floor-${floor}-${room.replace(/\W/g, "")}`,
    comment: "An import climbs a floor, or looks into a room of its own floor.",
    severity: "error",
    from: { path: inRooms([room]) },
    to: {
      path: inRooms([
        ...rooms.filter((other) => other !== room),
        ...floors.slice(floor + 1).flat(),
        "index.ts",
      ]),
    },
  })),
);

module.exports = {
  forbidden: [
    ...climbs,
    { name: "no-circular", severity: "error", from: {}, to: { circular: true } },
    {
      name: "no-unknown-room",
      severity: "error",
      from: {},
      to: { path: "^src/", pathNot: inRooms([...floors.flat(), "index.ts"]) },
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
