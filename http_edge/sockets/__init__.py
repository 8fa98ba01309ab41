"""What the edge takes of the machine: connections that wait at a socket, and open files."""
