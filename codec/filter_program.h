/* SPDX-License-Identifier: Apache-2.0 */
/* How a compiled filter is laid out, between what writes it and what asks it. */
#ifndef ROOST_CODEC_FILTER_PROGRAM_H
#define ROOST_CODEC_FILTER_PROGRAM_H

#include <stdint.h>

/*
 * Private to the filter codec. Numbers are of 4 bytes in the machine's order; a program never
 * leaves its machine.
 *
 *      node  := opcode (1 byte) length-of-the-rest rest
 *      rest  of a leaf := text(key) text*     as many values as there are
 *      rest  of and, or, not := node*
 *      text  := length bytes
 */
enum filter_opcode {
    FILTER_EQ = 0,
    FILTER_NEQ,
    FILTER_IN,
    FILTER_NIN,
    FILTER_EX,
    FILTER_NEX,
    FILTER_SW,
    FILTER_EW,
    FILTER_CT,
    FILTER_GT,
    FILTER_GTE,
    FILTER_LT,
    FILTER_LTE,
    FILTER_LEAF_COUNT,
    FILTER_AND = FILTER_LEAF_COUNT,
    FILTER_OR,
    FILTER_NOT,
    FILTER_OPCODE_COUNT,
};

#define FILTER_NODE_HEADER_LEN 5

#endif
