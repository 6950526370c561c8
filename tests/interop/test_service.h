/*
 * test_service: grpc.testing.TestService, by which implementations of gRPC
 * test each other.
 *
 * All of its methods, on the very stack that the daemon has: what a stock
 * client sees here is what it sees there.  UnimplementedCall and the whole
 * UnimplementedService are not there, as they must not be.
 */
#ifndef TESTS_INTEROP_TEST_SERVICE_H
#define TESTS_INTEROP_TEST_SERVICE_H

struct ev_loop;
struct services;
struct test_service;

/* Adds itself to the table. */
struct test_service *test_service_new(struct ev_loop *loop,
				      struct services *services);

/* Every call has been closed already. */
void test_service_free(struct test_service *t);

#endif
