// SPDX-License-Identifier: Apache-2.0
// Sequences that end differently on purpose, and why; README has the same list.

const ANSWER_FIRST = 'who publishes is answered before its own publication comes back';
const ONE_VALUE_A_LINE = 'a line that is not one JSON value is a bad request as a whole';
const A_USER_IS_NAMED = 'a call about a user names one: a forgotten field does not hit all who are anonymous';
const NOTHING_TO_REFRESH = 'a subscription that was not made with a token has none to refresh: 103';

const SCORES_ARE_KEPT = 'a score that is said is told; Centrifugo passes over it';
const NOT_TO_MAPS = 'a broadcast to a map is a bad request, as a publish to it is';

const LEAVING_ENDS_IT = 'who unsubscribes while pages are read is answered at once';
const TELLS_THE_EPOCH = 'the answer has the epoch of the map, not that of the request';
const DELTAS_DIFFER = 'deltas are cut otherwise, and a removal has no data at all';

export const KNOWN = {
  ...Object.fromEntries(['mcle', 'mclp'].flatMap((namespace) => [
    [`map client ${namespace}: page sizes`, LEAVING_ENDS_IT], [`map client ${namespace}: begun twice`, LEAVING_ENDS_IT],
    [`map client ${namespace}: deltas`, DELTAS_DIFFER]])),
  'map client mcle: pages': 'what changes while pages are read is told with the last of them, without a stream too',
  'map client mcle: live at once': TELLS_THE_EPOCH,
  'map client mcle: no stream': TELLS_THE_EPOCH,
  'map client mclp: a position without an epoch': 'a position has an epoch (112)',
  'map client mclp: a position that never was': 'a position beyond the stream is not recovered (112)',
  ...Object.fromEntries(['mape', 'mapr', 'mapp'].flatMap((namespace) => [
    [`map ${namespace}: score`, SCORES_ARE_KEPT], [`map ${namespace}: broadcast`, NOT_TO_MAPS]])),
  'map mape: versions': 'versions hold without a stream, too; in Centrifugo they are an internal error',
  'connect: channels that do not exist': 'a token of unknown channels is a bad request (3501)',
  'frame: trailing text': ONE_VALUE_A_LINE,
  'frame: two on a line': ONE_VALUE_A_LINE,
  'subscribe: of an unknown type': 'the client is told 103 and stays, instead of 3004',
  'sub_refresh: without a token': NOTHING_TO_REFRESH,
  'sub_refresh: a garbage token': NOTHING_TO_REFRESH,
  'publish: to a subscribed channel': ANSWER_FIRST,
  'publish: null': ANSWER_FIRST,
  'publish: a number': ANSWER_FIRST,
  'publish: spaces are kept': ANSWER_FIRST,
  'publish: into a stream': ANSWER_FIRST,
  'user: publishes with info': ANSWER_FIRST,
  'api: publish bad base64': 'base64 that is none is no request at all (400), as any other bad JSON',
  'api: publish to a long channel': 'the limit of a channel\'s name holds for the server API too (107)',
  'api: subscribe without a user': A_USER_IS_NAMED,
  'api: unsubscribe without a user': A_USER_IS_NAMED,
  'api: disconnect without a user': A_USER_IS_NAMED,
  'api: refresh without a user': A_USER_IS_NAMED,
  'api: to a connected user': A_USER_IS_NAMED,
  'user: subscribed already': 'who is subscribed is not told so once more',
  'user: unsubscribed from all': 'an empty channel unsubscribes from each, as is documented',
};
