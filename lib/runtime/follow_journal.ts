/**
 * `paddock events` of all containers.
 *
 * @module
 */
import { type JournalEvent, readJournal, type Span } from "../state/journal.ts";
import type { Roots } from "../state/root.ts";

/**
 * Gives what has happened in a span and what will, one by one.
 *
 * @throws PaddockError where the state root cannot be trusted.
 */
export async function followJournal({ root }: Roots, span: Span, take: (event: JournalEvent) => void): Promise<void> {
  await readJournal(root, span, take);
}
