/**
 * Lint rules, and the import boundaries of `src/` (docs/ARCHITECTURE.md): a table says what each folder may import, the
 * restricted-import rules are made from it. `test/lint` plants forbidden imports to prove that the linter objects.
 */

/** Folders that compute and touch nothing: no Node built-in, nothing from an effectful folder. */
const PURE = {
  schema: [],
  oci: ["schema"],
  seccomp: [],
  profile: ["schema", "oci", "seccomp"],
  plan: ["schema", "oci", "seccomp", "profile"],
};

const pure = Object.keys(PURE);
const services = ["executor", "image", "network", "cgroup", "store", "host"];

/** Every folder of `src/` with the folders it may import besides itself and `errors.ts`. */
export const MAY_IMPORT = {
  ...PURE,
  sys: [],
  ...Object.fromEntries(services.map((folder) => [folder, ["sys", ...pure]])),
  engine: [...services, "sys", ...pure],
  cli: ["engine", ...services, "sys", ...pure],
  library: ["engine", ...services, "sys", ...pure],
  studio: ["engine", ...services, "sys", ...pure],
};

/** Where each outside package enters. */
const PACKAGE_HOME = {
  koffi: "sys",
  ajv: "schema",
  commander: "cli",
  undici: "image",
  fzstd: "image",
  "@jellybrick/dbus-next": "cgroup",
};

/** What a pure folder could reach without an import. An OCI Spec's `process` is a local name and no trespass. */
const EFFECTFUL_GLOBALS = ["process", "Buffer", "fetch", "setTimeout", "setInterval", "setImmediate", "performance"];

const escape = (text) => text.replace(/[.*+?^${}()|[\]\\/]/g, "\\$&");

/** Restrictions for the files of one folder; `effects` lifts the ban on Node built-ins. */
function restrictedImports(folder, { effects = !pure.includes(folder) } = {}) {
  // The one effectful file of a pure folder reaches what all effects rest on.
  const allowed = effects && pure.includes(folder) ? [...MAY_IMPORT[folder], "sys"] : MAY_IMPORT[folder];
  const patterns = [];
  const forbidden = Object.keys(MAY_IMPORT).filter((other) => other !== folder && !allowed.includes(other));
  if (forbidden.length > 0) {
    patterns.push({
      regex: `^(?:\\.{1,2}/)+(?:src/)?(?:${forbidden.join("|")})/`,
      message: `Imports point downwards: src/${folder} may import ${["errors.ts", ...allowed].join(", ")} only.`,
    });
  }
  if (!effects) {
    patterns.push({
      regex: "^node:",
      message: `src/${folder} is pure: it computes from its arguments and needs no Node built-in. Pass the facts in.`,
    });
  }
  for (const [name, home] of Object.entries(PACKAGE_HOME)) {
    if (home === folder) continue;
    patterns.push({
      regex: `^${escape(name)}(?:/|$)`,
      message: `Only src/${home} imports ${name}, so that it can be replaced in one place.`,
    });
  }
  patterns.push({
    regex: "^@bytecodealliance/",
    message: "jco is a build-time tool; the component it transpiled is loaded by src/seccomp/compile.ts.",
  });
  return ["error", { patterns, paths: ENVIRONMENT_READERS.includes(folder) ? [] : [ENVIRONMENT_IMPORT] }];
}

/** The faces, which know their caller, and the probes. */
const ENVIRONMENT_READERS = ["cli", "library", "host"];
const ENVIRONMENT = "The environment is read in src/cli, src/library and src/host only; pass the value in.";
const ENVIRONMENT_IMPORT = { name: "node:process", importNames: ["env"], message: ENVIRONMENT };

/** Files of `src/seccomp` that speak the component's types and are pure nevertheless. */
const COMPONENT_TYPES = ["compilation", "compiler", "component-error", "lower-filter"];

/** What the component's build makes: declarations below `wasm/`, the loadable forms in `dist/`. */
const COMPONENT = {
  regex: "(?:^|/)wasm/generated/|^(?:\\.{1,2}/)+dist/|(?:^|/)component/[^/]+\\.js$",
  message: "Only src/seccomp/compile.ts loads the compiler component.",
};

function boundary(folder) {
  const [severity, options] = restrictedImports(folder);
  return {
    files: [`src/${folder}/**/*.ts`],
    rules: { "no-restricted-imports": [severity, { ...options, patterns: [...options.patterns, COMPONENT] }] },
  };
}

export default {
  plugins: ["typescript", "unicorn", "oxc", "import", "node", "promise"],
  categories: { correctness: "error", suspicious: "error" },
  ignorePatterns: ["build/**", "dist/**", "**/generated/**", "wasm/assembly/**"],
  rules: {
    eqeqeq: ["error", "always", { null: "ignore" }],
    "no-var": "error",
    "prefer-const": "error",
    "typescript/consistent-type-imports": "error",
    "typescript/no-explicit-any": "error",
    "typescript/no-non-null-assertion": "error",
    "import/no-cycle": "error",
    "node/no-path-concat": "error",
    // A lock is held by `await using` to the end of its block and need not be named again.
    "no-unused-vars": ["error", { ignoreUsingDeclarations: true, argsIgnorePattern: "^_", varsIgnorePattern: "^_" }],
    // A message may name the action before it quotes the value; shadowing in small closures hides nothing.
    "no-shadow": "off",
    // Messages between threads have no origin.
    "unicorn/require-post-message-target-origin": "off",
    // A helper beside its one use reads better than one far above it.
    "unicorn/consistent-function-scoping": "off",
    // Sorting a copy of one's own is fine.
    "unicorn/no-array-sort": "off",
    "unicorn/no-array-reverse": "off",
    // fast-check is read as `fc.integer()` everywhere.
    "import/no-named-as-default-member": "off",
    // Sequential by intent: operations of a launch have an order.
    "no-await-in-loop": "off",
    "import/no-unassigned-import": "off",
  },
  overrides: [
    {
      files: ["src/**/*.ts"],
      rules: {
        "no-console": ["error"],
        "no-restricted-properties": ["error", { object: "process", property: "env", message: ENVIRONMENT }],
      },
    },
    ...Object.keys(MAY_IMPORT).map(boundary),
    {
      files: COMPONENT_TYPES.map((name) => `src/seccomp/${name}.ts`),
      rules: { "no-restricted-imports": restrictedImports("seccomp") },
    },
    {
      files: ["src/seccomp/compile.ts"],
      rules: { "no-restricted-imports": restrictedImports("seccomp", { effects: true }) },
    },
    {
      files: pure.map((folder) => `src/${folder}/**/*.ts`),
      excludeFiles: ["src/seccomp/compile.ts"],
      rules: {
        "no-restricted-properties": "off",
        "no-restricted-globals": [
          "error",
          ...EFFECTFUL_GLOBALS.map((name) => ({
            name,
            message: "Pure folders compute from their arguments; pass the value in.",
          })),
        ],
      },
    },
    {
      files: ENVIRONMENT_READERS.map((folder) => `src/${folder}/**/*.ts`),
      rules: { "no-restricted-properties": "off" },
    },
  ],
};
