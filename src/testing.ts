/** `zabra/testing`: servers for your own tests. */
export { TestServer, type TestServerOptions } from './testing/test-server.js';
