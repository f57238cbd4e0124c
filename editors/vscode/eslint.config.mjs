import js from "@eslint/js";
import tseslint from "typescript-eslint";

const browserAndNode = {
  globals: { process: "readonly", console: "readonly", document: "readonly", window: "readonly", Buffer: "readonly", URL: "readonly", setTimeout: "readonly", clearTimeout: "readonly", getComputedStyle: "readonly", requestAnimationFrame: "readonly", fetch: "readonly" },
};

export default tseslint.config(
  { ignores: ["dist/**", "node_modules/**"] },
  js.configs.recommended,
  {
    files: ["src/**/*.ts"],
    extends: [tseslint.configs.strictTypeChecked, tseslint.configs.stylisticTypeChecked],
    languageOptions: { parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname } },
  },
  { files: ["**/*.mjs"], languageOptions: browserAndNode },
);
