/**
 * The version of the runtime specification that this build follows.
 *
 * @module
 */
export { OCI_VERSION } from "../spec/oci_version.ts";
