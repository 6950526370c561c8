# Prints a file as C: cmake -D FROM=file -D TO=file.c -P embed.cmake
file(READ ${FROM} bytes HEX)
string(REGEX REPLACE "([0-9a-f][0-9a-f])" "0x\\1," bytes "${bytes}")
string(REPEAT "....." 14 line)
string(REGEX REPLACE "(${line})" "\\1\n" bytes "${bytes}")
file(WRITE ${TO} "#include \"server/face/descriptor_set.h\"\n\n"
	"const unsigned char descriptor_set[] = {\n${bytes}\n};\n\n"
	"const size_t descriptor_set_bytes = sizeof(descriptor_set);\n")
