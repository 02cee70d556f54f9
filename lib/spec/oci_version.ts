/**
 * The version of the runtime specification that this build follows.
 *
 * @module
 */

/** The version of the specification that Configs made here follow. */
export const OCI_VERSION = "1.3.0";
