"""The files a log comes in, each read as one kind of relation: rows by number, cells by column."""
