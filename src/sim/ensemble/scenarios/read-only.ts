/** Servers that have lost their quorum and can be read. */
import type { Scenario } from './world.js';

export const readOnlyScenarios: readonly Scenario[] = [
  {
    name: 'read-only',
    kills: ['a server without a quorum acknowledges writes'],
    about:
      'The last of three servers is read by a client that can bear it, acknowledges no write, and ' +
      'when the others are back the client sees nothing older, and its watch fires.',
    hasLocalSessions: true,
    *script(stage) {
      const { reader } = stage;
      stage.start(1, 2, 3);
      yield stage.serving(1, 2, 3);
      yield stage.written(20);
      const [survivor = 0, ...others] = [1, 2, 3].filter((sid) => sid !== stage.leader);
      stage.kill(stage.leader);
      stage.kill(others[0] ?? 0);
      yield stage.until('it serves read-only', () => {
        return stage.member(survivor).member?.readOnlyServer?.isServing === true;
      });
      reader.connect(survivor);
      yield stage.until('the reader is served', () => reader.isServed);
      if (!reader.isReadOnly) stage.fail('the reader is not told');
      reader.look();
      reader.tryToWrite();
      yield stage.until('it is answered', () => reader.read === 1 && reader.refused === 1);
      stage.start(1, 2, 3);
      yield stage.serving(1, 2, 3);
      yield stage.written(20);
      reader.connect(survivor);
      yield stage.until('the reader is served', () => reader.isServed);
      if (reader.isReadOnly) stage.fail('there is a quorum');
      reader.watchAgain();
      yield stage.until('its watch has fired', () => reader.events > 0);
      reader.look();
      yield stage.until('it reads', () => reader.read === 2);
      reader.leave();
    },
  },
];
