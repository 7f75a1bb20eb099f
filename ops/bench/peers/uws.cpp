// SPDX-License-Identifier: Apache-2.0
// uWebSockets as a peer: /echo returns each message, / gives what one sends to all who are there.
#include "App.h"

#include <cstdio>
#include <cstdlib>

struct nothing {
};

int main(int argc, char **argv)
{
    const int port = argc > 1 ? std::atoi(argv[1]) : 9001;
    uWS::App()
        .ws<nothing>("/echo", {.compression = uWS::DISABLED,
                               .maxPayloadLength = 2 * 1024 * 1024,
                               .idleTimeout = 120,
                               .maxBackpressure = 64 * 1024 * 1024,
                               .message = [](auto *socket, std::string_view message,
                                             uWS::OpCode opcode) { socket->send(message, opcode); }})
        .ws<nothing>("/idle", {.compression = uWS::DISABLED, .idleTimeout = 120})
        .ws<nothing>("/*", {.compression = uWS::DISABLED,
                            .maxPayloadLength = 2 * 1024 * 1024,
                            .idleTimeout = 120,
                            .maxBackpressure = 64 * 1024 * 1024,
                            .open = [](auto *socket) { socket->subscribe("all"); },
                            .message = [](auto *socket, std::string_view message,
                                          uWS::OpCode opcode) {
                                socket->publish("all", message, opcode);
                            }})
        .listen("127.0.0.1", port,
                [port](auto *listener) {
                    std::printf(listener ? "uws listens on %d\n" : "uws cannot listen on %d\n", port);
                    std::fflush(stdout);
                })
        .run();
}
