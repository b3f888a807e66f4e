/** What the server says to its operator: one line an event, fields for machines. Never secrets. */
export interface Logger {
  debug(message: string, fields?: LogFields): void;
  info(message: string, fields?: LogFields): void;
  warn(message: string, fields?: LogFields): void;
  error(message: string, fields?: LogFields): void;
}

export type LogFields = Readonly<Record<string, string | number | boolean | null>>;

export const silentLogger: Logger = {
  debug() {},
  info() {},
  warn() {},
  error() {},
};
