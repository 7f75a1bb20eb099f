/* SPDX-License-Identifier: Apache-2.0 */
/* The one place that names the release; --version, the connect reply and the metrics are told from
 * here. */
#ifndef ROOST_OPS_VERSION_H
#define ROOST_OPS_VERSION_H

#define ROOST_VERSION "0.1.0"

#endif
