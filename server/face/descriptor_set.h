/*
 * descriptor_set: the serialized FileDescriptorSet of all of proto/, embedded
 * by the build (embed.cmake).  descriptors.h reads it.
 */
#ifndef SERVER_FACE_DESCRIPTOR_SET_H
#define SERVER_FACE_DESCRIPTOR_SET_H

#include <stddef.h>

extern const unsigned char descriptor_set[];
extern const size_t descriptor_set_bytes;

#endif
