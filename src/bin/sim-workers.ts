/**
 * Runs of the simulator on several processors: a run is one thread's work and shares nothing, so each
 * processor has a process of its own, which is handed the next run as soon as it is free. Not threads:
 * mutants replace methods of classes, and what a run leaves behind uncaught must be that run's alone.
 */
import { fork, type ChildProcess } from 'node:child_process';
import type { RunResult } from '../sim/run.js';
import type { Choice } from './sim-subjects.js';

export interface Task {
  readonly seed: number;
  /** Its place in the list of the subject; null: nothing is broken. */
  readonly mutant: number | null;
}

export type Answer = { readonly result: RunResult } | { readonly problem: string };

interface Waiting {
  readonly task: Task;
  readonly done: (answer: Answer) => void;
}

export class SimWorkers {
  readonly #free: ChildProcess[] = [];
  readonly #all: ChildProcess[] = [];
  readonly #waiting: Waiting[] = [];

  constructor(count: number, choice: Choice) {
    const program = new URL('./sim-worker.js', import.meta.url);
    for (let i = 0; i < count; i++) {
      const worker = fork(program, [JSON.stringify(choice)], { serialization: 'advanced' });
      this.#all.push(worker);
      this.#free.push(worker);
    }
  }

  /** In the order in which they are asked for, as many at a time as there are workers. */
  async run(task: Task): Promise<RunResult> {
    const answer = await new Promise<Answer>((done) => {
      this.#waiting.push({ task, done });
      this.#handOut();
    });
    if ('problem' in answer) throw new Error(answer.problem);
    return answer.result;
  }

  stop(): void {
    for (const worker of this.#all) if (worker.connected) worker.disconnect();
  }

  #handOut(): void {
    const worker = this.#free[0];
    const next = this.#waiting[0];
    if (worker === undefined || next === undefined) return;
    this.#free.shift();
    this.#waiting.shift();
    const end = (answer: Answer): void => {
      worker.removeAllListeners();
      next.done(answer);
    };
    worker.once('message', (answer: Answer) => {
      end(answer);
      this.#free.push(worker);
      this.#handOut();
    });
    worker.once('exit', (code) => {
      end({
        problem: `the process that ran seed ${next.task.seed} ended with ${code ?? 'a signal'}`,
      });
    });
    worker.send(next.task);
  }
}
