/**
 * The directory of a further process, `/run/paddock/ID/exec/PID`, while it runs.
 *
 * @module
 */

/** The file in it with the words of its command, a JSON array. */
export const COMMAND_FILE = "command.json";
