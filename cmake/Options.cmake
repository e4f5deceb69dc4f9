# SPDX-License-Identifier: BSD-2-Clause
#
# The options of the build as a whole; each selects files or tools, none changes another.
# The kernel's own options are declared in kernel/CMakeLists.txt.

option(RINGFENCE_LINUX "Build the Linux guest kernel from Debian's source" ON)
option(RINGFENCE_SANITIZE "Build host tests with AddressSanitizer and UBSan" ON)
option(RINGFENCE_CCACHE "Compile through ccache when it is installed" ON)
set(RINGFENCE_LINUX_BUILD "" CACHE PATH "Use this Linux build directory instead of building one")
set(RINGFENCE_LINUX_TARBALL /usr/src/linux-source-6.12.tar.xz CACHE FILEPATH "Linux source archive")
set(RINGFENCE_NEWLIB_TARBALL /usr/src/newlib/newlib-3.3.0.tar.xz CACHE FILEPATH
	"newlib source archive")

if(RINGFENCE_CCACHE)
	find_program(CCACHE_PROGRAM ccache)
	if(CCACHE_PROGRAM)
		set(CMAKE_C_COMPILER_LAUNCHER ${CCACHE_PROGRAM})
	endif()
endif()

set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
