/** `zabra/testing`: servers for your own tests. */
export {
  TestEnsemble,
  type TestEnsembleOptions,
  type TestEnsembleServer,
} from './testing/test-ensemble.js';
export { TestServer, type TestServerOptions } from './testing/test-server.js';
