# SPDX-License-Identifier: BSD-2-Clause
#
# newlib, built once from Debian's newlib-source into <build>/newlib/x86_64-elf/{include,lib}.
# Target: newlib.

set(NEWLIB_DIR ${CMAKE_BINARY_DIR}/newlib/x86_64-elf)
set(NEWLIB_INCLUDE_DIR ${NEWLIB_DIR}/include)
set(NEWLIB_LIBC ${NEWLIB_DIR}/lib/libc.a)
set(NEWLIB_LIBM ${NEWLIB_DIR}/lib/libm.a)

add_custom_command(
	OUTPUT ${NEWLIB_LIBC} ${NEWLIB_LIBM}
	COMMAND Python3::Interpreter -B ${CMAKE_SOURCE_DIR}/tools/newlib_build.py
		--tarball ${RINGFENCE_NEWLIB_TARBALL} --out ${CMAKE_BINARY_DIR}/newlib
	DEPENDS ${CMAKE_SOURCE_DIR}/tools/newlib_build.py ${RINGFENCE_NEWLIB_TARBALL}
	COMMENT "Building newlib (about a minute, once)"
	VERBATIM)
add_custom_target(newlib ALL DEPENDS ${NEWLIB_LIBC} ${NEWLIB_LIBM})
