import eslint from "@eslint/js";
import tseslint from "typescript-eslint";

export default tseslint.config(
  { ignores: ["dist/", "build/", ".tap/", "**/*.cjs"] },
  eslint.configs.recommended,
  {
    files: ["src/**/*.ts", "test/**/*.ts", "images/**/*.ts", "scripts/**/*.ts"],
    extends: [...tseslint.configs.strictTypeChecked, ...tseslint.configs.stylisticTypeChecked],
    languageOptions: { parserOptions: { project: ["tsconfig.json", "test/tsconfig.json"] } },
    rules: {
      // Numbers are what this program prints.
      "@typescript-eslint/restrict-template-expressions": ["error", { allowNumber: true }],
      // A driver may answer at once what its interface lets it answer later.
      "@typescript-eslint/require-await": "off",
      // `!` is used where a bound was checked on the line above; noUncheckedIndexedAccess cannot see that.
      "@typescript-eslint/no-non-null-assertion": "off",
      // One array of formats or requests per loop, written the way the loop reads best.
      "@typescript-eslint/prefer-for-of": "off",
    },
  },
  {
    files: ["src/**/*.ts"],
    rules: {
      // What catches everything turns a bug of ours into a slow path or an empty list. src/errors.ts has handlers that
      // catch failed system calls, or DiskErrors, and nothing else.
      "no-restricted-syntax": [
        "error",
        { selector: "CatchClause[param=null]", message: "Catch what is expected, and throw the rest again." },
        {
          selector:
            "CallExpression[callee.property.name='catch'] > :matches(ArrowFunctionExpression, FunctionExpression)[params.length=0]",
          message: "Use whenHostFails, ignoreDiskError or thrownElsewhere of src/errors.ts.",
        },
      ],
    },
  },
  {
    files: ["test/**/*.ts"],
    rules: {
      // tap's t.test answers a promise that tap itself waits for.
      "@typescript-eslint/no-floating-promises": "off",
      "@typescript-eslint/no-misused-promises": "off",
    },
  },
  {
    files: ["**/*.mjs", "**/*.js"],
    languageOptions: {
      globals: { process: "readonly", console: "readonly", Buffer: "readonly", URL: "readonly" },
    },
  },
);
