/**
 * After a crash, of the epoch files: nothing that was promised is forgotten, the two of them and the
 * history agree, and an Apache server would start here as well, before ours has put things right.
 */
import type { Disk } from '../../ports/disk.js';
import { decodeUtf8 } from '../../protocol/utf8.js';
import { epochOf, type Zxid } from '../../protocol/zxid.js';
import type { Storage } from '../../storage/storage.js';
import type { Bounds } from './bounds.js';

/** What is wrong, or null. */
export async function checkEpochs(
  disk: Disk,
  storage: Storage,
  last: Zxid,
  bounds: Bounds,
): Promise<string | null> {
  const refusal = refusalOfApache(disk, storage.directories.snapshots, epochOf(last));
  if (refusal !== null) return `Apache refuses: ${refusal}`;
  const epochs = storage.openEpochFiles();
  await epochs.recover(last);
  const { acceptedEpoch, currentEpoch } = epochs;
  if (acceptedEpoch === null || currentEpoch === null) return 'no epochs after recovering them';
  const found = `acceptedEpoch ${acceptedEpoch}, currentEpoch ${currentEpoch}`;
  if (acceptedEpoch < bounds.acceptedEpoch) return `${found}, accepted was ${bounds.acceptedEpoch}`;
  if (currentEpoch < bounds.currentEpoch) return `${found}, current was ${bounds.currentEpoch}`;
  if (currentEpoch > acceptedEpoch) return found;
  // a first synchronisation that was broken off is nobody's history, and no epoch is current
  if (epochs.hasHistory && epochOf(last) > currentEpoch) {
    return `${found}, the history ends in ${epochOf(last)}`;
  }
  const later = refusalOfApache(disk, storage.directories.snapshots, epochOf(last));
  return later === null ? null : `Apache refuses after the recovery: ${later}`;
}

/** Its rule, in its order: what it makes of the files beside a history that ends in `epoch`. */
function refusalOfApache(disk: Disk, directory: string, epoch: number): string | null {
  const read = (name: string): number | null => {
    const path = `${directory}/${name}`;
    if (!disk.existsNow(path)) return null;
    const bytes = new Uint8Array(32);
    const file = disk.openNow(path, 'read');
    const text = decodeUtf8(bytes, 0, file.readNow(bytes, 0, bytes.length, 0));
    file.closeNow();
    return /^[0-9]+$/.test(text) ? Number(text) : Number.NaN;
  };
  let current = read('currentEpoch') ?? epoch;
  if (epoch > current) {
    const step = read('currentEpoch.tmp');
    if (step === null) return `currentEpoch ${current} is older than the history's ${epoch}`;
    current = step;
  }
  const accepted = read('acceptedEpoch') ?? epoch;
  if (Number.isNaN(current) || Number.isNaN(accepted)) return 'what is there is no number';
  return accepted < current ? `acceptedEpoch ${accepted} below currentEpoch ${current}` : null;
}
