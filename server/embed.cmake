# Prints a file as C:
# cmake -D FROM=file -D TO=file.c -D HEADER=header -D NAME=name -P embed.cmake
file(READ ${FROM} bytes HEX)
string(REGEX REPLACE "([0-9a-f][0-9a-f])" "0x\\1," bytes "${bytes}")
string(REPEAT "....." 14 line)
string(REGEX REPLACE "(${line})" "\\1\n" bytes "${bytes}")
file(WRITE ${TO} "#include \"${HEADER}\"\n\n"
	"const unsigned char ${NAME}[] = {\n${bytes}\n};\n\n"
	"const size_t ${NAME}_bytes = sizeof(${NAME});\n")
