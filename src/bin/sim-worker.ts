/** A process that runs seeds for another one (sim-workers.ts), one after the other. */
import { caught } from './sim-caught.js';
import { subjectOf, type Choice } from './sim-subjects.js';
import type { Answer, Task } from './sim-workers.js';

const subject = subjectOf(JSON.parse(process.argv[2] ?? '') as Choice);

async function run({ seed, mutant }: Task): Promise<Answer> {
  const chosen = mutant === null ? subject : subject.mutants[mutant];
  if (chosen === undefined) throw new RangeError(`no mutant ${mutant ?? ''}`);
  return { result: await caught(() => chosen.run(seed, null)) };
}

process.on('message', (task: Task) => {
  run(task)
    .catch((problem: unknown): Answer => ({
      problem: problem instanceof Error ? (problem.stack ?? problem.message) : String(problem),
    }))
    .then((answer) => process.send?.(answer))
    .catch(() => process.exit(1));
});
process.on('disconnect', () => process.exit());
