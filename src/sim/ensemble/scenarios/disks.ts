/** Disks that fail under a role. */
import type { Scenario } from './world.js';

export const diskScenarios: readonly Scenario[] = [
  {
    name: 'Z21',
    kills: ['a flush that the disk refuses is taken for done'],
    about:
      "A follower's disk refuses what it has in memory already: it must not vote with that, nor go " +
      'on with a hole in its log (ZOOKEEPER-4882, open).',
    *script(stage) {
      stage.start(1, 2, 3);
      for (let times = 0; times < 4; times++) {
        yield stage.serving(1, 2, 3);
        yield stage.written(15);
        const follower = [1, 2, 3].find((sid) => sid !== stage.leader) ?? 0;
        const sid = times % 2 === 0 ? follower : stage.leader;
        const { starts } = stage.member(sid);
        stage.breakDisk(sid);
        yield stage.until('its process ends', () => stage.member(sid).starts > starts);
      }
      yield stage.serving(1, 2, 3);
      yield stage.written(10);
    },
  },
];
