# Gets a port and listens on it. A server defines handleConnections and goes on with vwait.
package require portAllocator
set p [::portAllocator create local]
set port [$p allocatePort]
socket -server handleConnections $port
