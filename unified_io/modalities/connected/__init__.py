"""What a language model that media are connected to reads and writes: chats, and media in them."""
