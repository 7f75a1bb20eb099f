/* SPDX-License-Identifier: Apache-2.0 */
/* What can fail says so in its prototype, and the compiler refuses a caller that does not look. */
#ifndef ROOST_CODEC_MUST_CHECK_H
#define ROOST_CODEC_MUST_CHECK_H

#define CODEC_MUST_CHECK __attribute__((warn_unused_result))

#endif
