import tseslint from 'typescript-eslint';

/** Clocks, processes and collectors: what belongs to the world, and to nobody who is to be simulated. */
const worldGlobals = [
  'Date',
  'performance',
  'setTimeout',
  'setInterval',
  'setImmediate',
  'process',
  'WeakRef',
  'FinalizationRegistry',
];

/** Type-aware rules are gates here: a promise nobody awaits is a bug in a server. */
export default tseslint.config(
  {
    ignores: [
      'dist/**',
      'build/**',
      'node_modules/**',
      'zabra-data/**',
      '.cache/**',
      'tools/**',
      '**/*.mjs',
      'bin/**',
      '*.js',
      'examples/vitest/**',
    ],
  },
  ...tseslint.configs.strictTypeChecked,
  {
    languageOptions: {
      parserOptions: {
        project: ['./tsconfig.src.json', './tsconfig.test.json'],
        tsconfigRootDir: import.meta.dirname,
      },
    },
    rules: {
      '@typescript-eslint/switch-exhaustiveness-check': [
        'error',
        { considerDefaultExhaustiveForUnions: true },
      ],
      '@typescript-eslint/restrict-template-expressions': [
        'error',
        { allowNumber: true, allowBoolean: true },
      ],
      // in hot loops over typed arrays an index is known to be inside; elsewhere review asks why
      '@typescript-eslint/no-non-null-assertion': 'off',
      '@typescript-eslint/no-confusing-void-expression': ['error', { ignoreArrowShorthand: true }],
      '@typescript-eslint/no-unnecessary-condition': [
        'error',
        { allowConstantLoopConditions: true },
      ],
      '@typescript-eslint/unified-signatures': 'off',
      'no-restricted-syntax': [
        'error',
        { selector: 'TSEnumDeclaration', message: 'use an `as const` object and a union' },
      ],
    },
  },
  {
    files: ['src/{base,ports,protocol,tree,watch,session,txn,zab,balance}/**/*.ts'],
    ignores: ['**/*.test.ts'],
    rules: {
      'no-restricted-globals': [
        'error',
        ...[...worldGlobals, 'Buffer', 'queueMicrotask'].map((name) => ({
          name,
          message: 'a core takes the world through its arguments (DESIGN.md 2)',
        })),
      ],
      'no-restricted-properties': [
        'error',
        { object: 'Math', property: 'random', message: 'take a seed' },
      ],
      'no-restricted-syntax': [
        'error',
        { selector: ':function[async=true]', message: 'a core never awaits' },
        { selector: 'AwaitExpression', message: 'a core never awaits' },
      ],
    },
  },
  {
    files: ['src/{storage,server,client,balancer}/**/*.ts'],
    ignores: ['**/*.test.ts'],
    rules: {
      'no-restricted-globals': [
        'error',
        ...[
          'Date',
          'performance',
          'setTimeout',
          'setInterval',
          'setImmediate',
          'process',
          'Buffer',
          'WeakRef',
          'FinalizationRegistry',
        ].map((name) => ({ name, message: 'engines know ports, not Node (DESIGN.md 2)' })),
      ],
      'no-restricted-properties': [
        'error',
        { object: 'Math', property: 'random', message: 'take a seed' },
      ],
    },
  },
  {
    // Node's users expect a Buffer from a client: its public contract answers with them
    files: ['src/client/**/*.ts', 'src/recipes/**/*.ts', 'src/discovery/**/*.ts'],
    ignores: ['**/*.test.ts'],
    rules: {
      'no-restricted-globals': [
        'error',
        ...worldGlobals.map((name) => ({
          name,
          message: 'the client takes the world as an argument',
        })),
      ],
      'no-restricted-properties': [
        'error',
        { object: 'Math', property: 'random', message: 'ask the world' },
      ],
    },
  },
  {
    files: ['**/*.test.ts', 'test/**/*.ts', 'bench/**/*.ts', 'examples/**/*.ts'],
    rules: {
      '@typescript-eslint/no-floating-promises': [
        'error',
        {
          allowForKnownSafeCalls: [
            { from: 'package', name: ['test', 'describe', 'it', 'suite'], package: 'node:test' },
          ],
        },
      ],
    },
  },
);
