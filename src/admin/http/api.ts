/** What the endpoints of the HTTP API work with. Tested in test/admin/http/api_test.ts. */
import type { Cluster } from "../../cluster/cluster.ts";
import type { RequestContext } from "../../http/router.ts";
import type { Action, ActionRecord } from "../model/action.ts";

export interface Api {
  readonly cluster: Cluster;
  /** Unix ms. */
  readonly nowMs: () => number;
  /** @throws {HttpError} 403 FORBIDDEN when who asks may not do this */
  authorize(context: RequestContext, kind: Action["kind"]): void;
  /**
   * Does it, and tells everybody who has to know.
   *
   * @throws {NobodyAnsweredError} when nobody could be asked
   */
  run(context: RequestContext, action: Action): Promise<ActionRecord>;
}
