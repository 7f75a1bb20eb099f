/* SPDX-License-Identifier: Apache-2.0 */
/* Counters of other nodes: members, slots, gossip, links and what crosses them. Rows as counters.h
 * has them. */
#ifndef ROOST_SHARDS_COUNTERS_CLUSTER_H
#define ROOST_SHARDS_COUNTERS_CLUSTER_H

/* Rows of one name. */
#define ROW_HANDOVERS(X, id, value) \
    X(HANDOVERS_##id, "handover_channels", "result=\"" value "\"", COUNTER, \
      "Channels that moved with what they are, to another node or from one; or not.")
#define ROW_RELAY_REFUSED(X, id, value) \
    X(RELAY_REFUSED_##id, "relay_refused", "what=\"" value "\"", COUNTER, \
      "What was refused for want of room, a link or a home.")
#define ROW_CLUSTER(X, id, value) \
    X(CLUSTER_##id, "cluster_members", "state=\"" value "\"", GAUGE, \
      "Members of the cluster as this node sees them, itself included.")
#define ROW_GOSSIP_REFUSED(X, id, value) \
    X(GOSSIP_REFUSED_##id, "gossip_refused", "reason=\"" value "\"", COUNTER, \
      "Datagrams and states that were refused.")
#define ROW_LINKS_DOWN(X, id, value) \
    X(LINKS_DOWN_##id, "link_downs", "reason=\"" value "\"", COUNTER, "Links that ended.")
#define ROW_LINKS_REFUSED(X, id, value) \
    X(LINKS_REFUSED_##id, "link_refused", "reason=\"" value "\"", COUNTER, \
      "Connections of others that were ended before they were links.")

/* X(id, name, labels, kind, help) */
#define COUNTERS_OF_CLUSTER(X) \
    X(CHANNELS_MOVED, "node_channels_moved", "", COUNTER, \
      "Channels whose home here ended because it is another node's now.") \
    ROW_HANDOVERS(X, GIVEN, "given") \
    ROW_HANDOVERS(X, TAKEN, "taken") \
    ROW_HANDOVERS(X, REFUSED, "refused") \
    ROW_HANDOVERS(X, FAILED, "failed") \
    ROW_HANDOVERS(X, LATE, "late") \
    ROW_HANDOVERS(X, MISSED, "missed") \
    X(HANDOVER_BYTES_GIVEN, "handover_bytes", "direction=\"given\"", COUNTER, \
      "Names and publications of channels that moved.") \
    X(HANDOVER_BYTES_TAKEN, "handover_bytes", "direction=\"taken\"", COUNTER, \
      "Names and publications of channels that moved.") \
    X(HANDOVER_TOLD_LOST, "handover_catch_up_lost", "", COUNTER, \
      "Channels that moved, of which those who come after them cannot be told all.") \
    X(HELD_REQUESTS, "handover_requests_waiting", "", GAUGE, \
      "Requests that wait for a channel to come.") \
    X(HELD_REFUSED, "handover_requests_refused", "", COUNTER, \
      "Of these, those that found no room or waited too long.") \
    X(SLOTS_AWAITED, "handover_slots_waiting", "", GAUGE, \
      "Slots of this node that homes of before have not given up yet.") \
    X(SLOTS_LATE, "handover_slots_late", "", COUNTER, "Slots that were waited for in vain.") \
    X(HUB_CHANNELS_MOVED, "node_registrations_moved", "", COUNTER, \
      "Channels with subscribers that were registered again after a move.") \
    X(RELAY_FAR_CHANNELS, "relay_channels", "home=\"far\"", GAUGE, \
      "Channels that the router has registered with homes, for others.") \
    X(RELAY_NEAR_CHANNELS, "relay_channels", "home=\"near\"", GAUGE, \
      "Channels that the router has registered with homes, for others.") \
    X(RELAY_INTERESTS, "relay_interests", "", GAUGE, "Nodes that want channels of this one.") \
    X(RELAY_ASKS, "relay_requests", "", GAUGE, "Requests between nodes that are under way.") \
    X(RELAY_ASKS_LATE, "relay_requests_failed", "reason=\"timeout\"", COUNTER, \
      "Requests between nodes whose outcome is not known.") \
    X(RELAY_ASKS_CUT, "relay_requests_failed", "reason=\"link_down\"", COUNTER, \
      "Requests between nodes whose outcome is not known.") \
    ROW_RELAY_REFUSED(X, REQUESTS, "requests") \
    ROW_RELAY_REFUSED(X, CHANNELS, "channels") \
    ROW_RELAY_REFUSED(X, PEERS, "peers") \
    X(RELAY_PASSED_ON, "relay_passed_on", "", COUNTER, \
      "Requests that reached a node which is not the home, and were passed on.") \
    X(RELAY_LOST, "relay_lost", "", COUNTER, \
      "Publications and commands given up because a link had no room.") \
    X(RELAY_STALE, "relay_stale", "", COUNTER, "Messages between nodes for what is gone.") \
    X(RELAY_CHANNELS_MOVED, "relay_channels_moved", "", COUNTER, \
      "Registrations with other nodes that ended with a home, a link or a view.") \
    X(RELAY_REPAIRS, "relay_interest_repairs", "", COUNTER, \
      "Times that two nodes disagreed on what is registered, and began anew.") \
    ROW_CLUSTER(X, ALIVE, "alive") \
    ROW_CLUSTER(X, SUSPECT, "suspect") \
    ROW_CLUSTER(X, UNREACHABLE, "unreachable") \
    ROW_CLUSTER(X, DEAD, "dead") \
    ROW_CLUSTER(X, LEFT, "left") \
    X(CLUSTER_HEALTH, "cluster_local_health", "", GAUGE, \
      "How slow this node believes itself to be; 0: not at all.") \
    X(CLUSTER_MEMORY_BYTES, "cluster_memory_bytes", "", GAUGE, \
      "Memory of what is known of other members.") \
    X(CLUSTER_PROBES, "cluster_probes", "", COUNTER, \
      "Members that were asked for a sign of life.") \
    X(CLUSTER_PROBES_FAILED, "cluster_probes_failed", "", COUNTER, "Of these, those without one.") \
    X(CLUSTER_SUSPICIONS, "cluster_suspicions", "", COUNTER, \
      "Members that were alive and came under suspicion, this node's and others'.") \
    X(CLUSTER_SUSPICIONS_RAISED, "cluster_suspicions_raised", "", COUNTER, \
      "Of these, those that this node raised.") \
    X(CLUSTER_FALSE_ALARMS, "cluster_false_alarms", "", COUNTER, \
      "Members that refuted being suspect or unreachable.") \
    X(CLUSTER_COMEBACKS, "cluster_comebacks", "", COUNTER, "Members that refuted being dead.") \
    X(CLUSTER_REFUTATIONS, "cluster_refutations", "", COUNTER, \
      "What this node refuted of what was said of it.") \
    X(CLUSTER_DEATHS, "cluster_deaths", "", COUNTER, "Members that were declared dead.") \
    X(CLUSTER_PAUSES, "cluster_pauses", "", COUNTER, \
      "How often this node was not run for longer than a probe takes.") \
    X(PLACEMENT_VERSION, "cluster_placement_version", "", GAUGE, \
      "Maps of the slots that this node has made.") \
    X(PLACEMENT_SLOTS, "cluster_placement_slots", "", GAUGE, "Slots that have their home here.") \
    X(PLACEMENT_SLOTS_MOVED, "cluster_placement_slots_moved", "", COUNTER, \
      "Slots that have moved from one node to another.") \
    X(GOSSIP_DATAGRAMS_IN, "gossip_datagrams", "direction=\"in\"", COUNTER, \
      "Datagrams of the gossip.") \
    X(GOSSIP_DATAGRAMS_OUT, "gossip_datagrams", "direction=\"out\"", COUNTER, \
      "Datagrams of the gossip.") \
    X(GOSSIP_BYTES_IN, "gossip_bytes", "direction=\"in\"", COUNTER, \
      "Bytes of these datagrams, without the headers of UDP and IP.") \
    X(GOSSIP_BYTES_OUT, "gossip_bytes", "direction=\"out\"", COUNTER, \
      "Bytes of these datagrams, without the headers of UDP and IP.") \
    X(GOSSIP_UNSENT, "gossip_unsent", "", COUNTER, "Datagrams that the socket did not take.") \
    X(GOSSIP_STATE_BYTES_IN, "gossip_state_bytes", "direction=\"in\"", COUNTER, \
      "Bytes of states exchanged over links.") \
    X(GOSSIP_STATE_BYTES_OUT, "gossip_state_bytes", "direction=\"out\"", COUNTER, \
      "Bytes of states exchanged over links.") \
    ROW_GOSSIP_REFUSED(X, SIZE, "size") \
    ROW_GOSSIP_REFUSED(X, FORM, "form") \
    ROW_GOSSIP_REFUSED(X, CLEAR, "clear") \
    ROW_GOSSIP_REFUSED(X, SEALED, "sealed") \
    ROW_GOSSIP_REFUSED(X, UNKNOWN_KEY, "unknown_key") \
    ROW_GOSSIP_REFUSED(X, NOT_AUTHENTIC, "not_authentic") \
    ROW_GOSSIP_REFUSED(X, TIME, "time") \
    ROW_GOSSIP_REFUSED(X, REPLAY, "replay") \
    ROW_GOSSIP_REFUSED(X, VERSION, "version") \
    ROW_GOSSIP_REFUSED(X, CLUSTER, "cluster") \
    ROW_GOSSIP_REFUSED(X, MALFORMED, "malformed") \
    X(GOSSIP_MEMBERS_REFUSED, "gossip_members_refused", "", COUNTER, \
      "Members in datagrams and states that were malformed, or beyond the limit.") \
    X(LINKS_UP, "link_up", "", GAUGE, "Links to other nodes that are up.") \
    X(LINKS_KEPT, "link_wanted", "", GAUGE, "Nodes that there should be a link to.") \
    X(LINKS_STRANGERS, "link_handshakes", "", GAUGE, \
      "Connections of which it is not known yet whose they are.") \
    X(LINKS_QUEUE_BYTES, "link_queue_bytes", "", GAUGE, "Bytes that wait in all links' queues.") \
    X(LINKS_QUEUE_BYTES_MAX, "link_queue_bytes_longest", "", GAUGE, \
      "Bytes that wait in the longest queue.") \
    X(LINKS_ROUND_TRIP_US, "link_round_trip_microseconds", "", GAUGE, \
      "Of the slowest link, by its last heartbeat.") \
    X(LINKS_FRAMES_IN, "link_frames", "direction=\"in\"", COUNTER, "Frames of links.") \
    X(LINKS_FRAMES_OUT, "link_frames", "direction=\"out\"", COUNTER, "Frames of links.") \
    X(LINKS_BYTES_IN, "link_bytes", "direction=\"in\"", COUNTER, \
      "Bytes of links, without what TLS adds.") \
    X(LINKS_BYTES_OUT, "link_bytes", "direction=\"out\"", COUNTER, \
      "Bytes of links, without what TLS adds.") \
    X(LINKS_MESSAGES_IN, "link_messages", "direction=\"in\"", COUNTER, "Messages over links.") \
    X(LINKS_MESSAGES_OUT, "link_messages", "direction=\"out\"", COUNTER, "Messages over links.") \
    X(LINKS_UPS, "link_ups", "", COUNTER, "Links that came up.") \
    X(LINKS_RECONNECTS, "link_reconnects", "", COUNTER, \
      "Of these, links to a node that had one before.") \
    X(LINKS_DIALS_FAILED, "link_dials_failed", "", COUNTER, \
      "Connections to other nodes that were not made.") \
    ROW_LINKS_DOWN(X, SILENT, "silent") \
    ROW_LINKS_DOWN(X, FULL, "full") \
    ROW_LINKS_DOWN(X, OTHER, "other") \
    X(LINKS_REQUESTS_REFUSED, "link_requests_refused", "", COUNTER, \
      "Requests to other nodes that found the queue full.") \
    ROW_LINKS_REFUSED(X, TLS, "tls") \
    ROW_LINKS_REFUSED(X, CLUSTER, "cluster") \
    ROW_LINKS_REFUSED(X, VERSION, "version") \
    ROW_LINKS_REFUSED(X, BUSY, "busy") \
    ROW_LINKS_REFUSED(X, KEY, "key") \
    ROW_LINKS_REFUSED(X, LATE, "late") \
    ROW_LINKS_REFUSED(X, OTHER, "other") \
    X(LINKS_BAD_SIZE, "link_bad_frames", "reason=\"size\"", COUNTER, \
      "Frames that were not understood; each ends its connection.") \
    X(LINKS_BAD_OTHER, "link_bad_frames", "reason=\"malformed\"", COUNTER, \
      "Frames that were not understood; each ends its connection.") \
    X(LINK_MESSAGES_REFUSED, "link_messages_refused", "", COUNTER, \
      "Messages of other nodes that were not understood.")

#endif
