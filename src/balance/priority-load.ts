/**
 * How requests are divided among levels of priority, as Envoy does it. Level 0 takes all while enough of
 * it is healthy; as it gets sicker, the part it cannot take goes to level 1, and so on. A level counts as
 * whole while its healthy part times `overprovisioning` (1.4) is: up to 28 percent may be gone before
 * anything overflows.
 */
export interface LevelHealth {
  readonly available: number;
  readonly total: number;
}

export interface PriorityLoad {
  /** Percent for each level; 100 in sum. */
  readonly percents: readonly number[];
  /** All levels together cannot take everything: where too few are healthy, health is no help. */
  readonly isShort: boolean;
}

const OVERPROVISIONING = 1.4;

export function priorityLoad(levels: readonly LevelHealth[]): PriorityLoad {
  const healths = levels.map(({ available, total }) =>
    total === 0 ? 0 : Math.min(100, (100 * OVERPROVISIONING * available) / total),
  );
  const sum = Math.min(
    100,
    healths.reduce((all, health) => all + health, 0),
  );
  if (sum === 0) {
    // nothing is healthy anywhere: the first level that has anything takes all
    const first = levels.findIndex(({ total }) => total > 0);
    return { percents: levels.map((_, index) => (index === first ? 100 : 0)), isShort: true };
  }
  let left = 100;
  const percents = healths.map((health) => {
    const percent = Math.min(left, (100 * health) / sum);
    left -= percent;
    return percent;
  });
  return { percents, isShort: sum < 100 };
}

/** Of `total` targets only `available` are fit: so few that choosing among them would break them. */
export function isPanic(available: number, total: number, thresholdPercent: number): boolean {
  return total > 0 && available * 100 < thresholdPercent * total;
}
