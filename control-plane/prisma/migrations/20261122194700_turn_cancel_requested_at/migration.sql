-- A column without a default: only the catalogue is touched, whatever the table's size.
SET lock_timeout = '5s';

-- AlterTable
ALTER TABLE "turn" ADD COLUMN     "cancel_requested_at" TIMESTAMPTZ(3);
