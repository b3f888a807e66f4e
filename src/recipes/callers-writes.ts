/**
 * A transaction of a recipe holds writes of its own (a check that the thing is held, a mark) before
 * those of the caller. When one of the caller's is refused, the caller is to be told of it in terms of
 * what it added, as if the recipe's had not been there.
 */
import { TransactionError } from '../client/transaction.js';

/** The error without the first `count` writes, which are the recipe's; none of them is the refused one. */
export function ofCallersWrites(error: TransactionError, count: number): TransactionError {
  const { index, results, path, op } = error;
  return new TransactionError(index - count, results.slice(count), path ?? '', op);
}
