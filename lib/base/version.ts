/**
 * paddock's version.
 *
 * @module
 */

/** Semantic version. */
export const VERSION = "0.1.0";
