/**
 * A process that imports one archive, for tests that run several, or kill one: `import_worker.ts DATA_ROOT ARCHIVE`.
 *
 * Prints the layer as a line of JSON, or the error's line to standard error and exits with 1.
 */
import { PaddockError } from "../../lib/base/errors.ts";
import { ImageStore } from "../../lib/image/image_store.ts";

const [dataRoot, archive] = Deno.args;
try {
  using store = ImageStore.open(dataRoot!);
  console.log(JSON.stringify(await store.lookupOrImport(archive!)));
} catch (error) {
  if (!(error instanceof PaddockError)) throw error;
  console.error(error.message);
  Deno.exit(1);
}
