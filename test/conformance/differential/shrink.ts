/** Makes a script that shows a difference short: whole steps first, then requests within steps. */
import type { Request, Script, Step } from './script.js';

type StillDiffers = (script: Script) => Promise<boolean>;

async function withFewerSteps(script: Script, stillDiffers: StillDiffers): Promise<Script> {
  let best = script;
  for (
    let size = Math.ceil(best.length / 2);
    size >= 1;
    size = size === 1 ? 0 : Math.ceil(size / 2)
  ) {
    for (let at = 0; at < best.length;) {
      const candidate = [...best.slice(0, at), ...best.slice(at + size)];
      if (candidate.length < best.length && (await stillDiffers(candidate))) best = candidate;
      else at += size;
    }
  }
  return best;
}

function replaced(script: Script, at: number, step: Step): Script {
  return script.map((old, index) => (index === at ? step : old));
}

/** The request with one part less, for each part. */
function smaller(request: Request): Request[] {
  if (request.op !== 'multi' && request.op !== 'multiRead') return [];
  return request.parts.map((_part, index) => ({
    ...request,
    parts: request.parts.filter((_other, other) => other !== index),
  }));
}

async function withFewerRequests(script: Script, stillDiffers: StillDiffers): Promise<Script> {
  let best = script;
  for (let at = 0; at < best.length; at += 1) {
    for (let index = 0; ;) {
      const step = best[at];
      if (step?.kind !== 'requests' && step?.kind !== 'close') break;
      const request = step.requests[index];
      if (request === undefined) break;
      const without = step.requests.filter((_other, other) => other !== index);
      const candidates = [
        without,
        ...smaller(request).map((less) =>
          step.requests.map((old, other) => (other === index ? less : old)),
        ),
      ];
      let found = false;
      for (const requests of candidates) {
        const candidate = replaced(best, at, { ...step, requests });
        if (!(await stillDiffers(candidate))) continue;
        best = candidate;
        found = true;
        break;
      }
      if (!found) index += 1;
    }
  }
  return best;
}

export async function shrink(script: Script, stillDiffers: StillDiffers): Promise<Script> {
  let best = script;
  for (;;) {
    const before = JSON.stringify(best);
    best = await withFewerSteps(best, stillDiffers);
    best = await withFewerRequests(best, stillDiffers);
    if (JSON.stringify(best) === before) return best;
  }
}
